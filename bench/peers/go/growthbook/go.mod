module peer-growthbook

go 1.24

require (
	harness v0.0.0
	github.com/growthbook/growthbook-golang v0.7.0
)

replace harness => ../harness
