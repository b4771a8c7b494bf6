module peer-goff

go 1.24

require (
	harness v0.0.0
	github.com/thomaspoignant/go-feature-flag v1.34.0
)

replace harness => ../harness
