module peer-launchdarkly

go 1.24

require (
	harness v0.0.0
	github.com/launchdarkly/go-sdk-common/v3 v3.5.0
	github.com/launchdarkly/go-server-sdk/v7 v7.14.6
)

replace harness => ../harness
