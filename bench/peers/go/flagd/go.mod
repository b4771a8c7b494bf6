module peer-flagd

go 1.24

require (
	harness v0.0.0
	github.com/open-feature/flagd/core v0.12.1
	go.uber.org/zap v1.27.0
)

replace harness => ../harness
