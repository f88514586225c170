module github.com/sydradb/sydradb/server

go 1.26.0
