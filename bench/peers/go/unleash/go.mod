module peer-unleash

go 1.24

require (
	harness v0.0.0
	github.com/Unleash/unleash-client-go/v4 v4.5.0
)

replace harness => ../harness
