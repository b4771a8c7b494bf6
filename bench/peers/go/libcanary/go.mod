module peer-libcanary

go 1.24

require harness v0.0.0

replace harness => ../harness
