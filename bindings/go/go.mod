module libcanary.example/canary

go 1.24
