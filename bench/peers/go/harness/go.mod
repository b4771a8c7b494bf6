module harness

go 1.24
