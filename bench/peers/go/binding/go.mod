module peer-binding

go 1.24

require (
	harness v0.0.0
	libcanary.example/canary v0.0.0
)

replace harness => ../harness

// Set by the script that builds this: where the binding is in this tree.
replace libcanary.example/canary => ../../canary
