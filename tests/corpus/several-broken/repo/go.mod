module x

go twelve
