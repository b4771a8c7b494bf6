module libcanary.example/example

go 1.24

require libcanary.example/canary v0.0.0

// The library's packages come from the checkout beside this program. In a program of your own:
//	go mod edit -require libcanary.example/canary@v0.0.0
//	go mod edit -replace libcanary.example/canary=/path/to/libcanary/bindings/go
replace libcanary.example/canary => ../../bindings/go
