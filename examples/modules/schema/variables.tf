variable "clusters" {
  description = "Clusters that have the same schema, by a stable name. The provider block supplies attributes that are not set."
  nullable    = false

  type = map(object({
    endpoint       = optional(string)
    port           = optional(number)
    region         = optional(string)
    user           = optional(string)
    ca_file        = optional(string)
    variables      = optional(map(string))
    accept_cluster = optional(string)
    accept_drift   = optional(string)
  }))
}

variable "dir" {
  description = "Directory with the migrations. Start it with path.module or path.root, so that it does not depend on the working directory."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the migration set in the ledger. A different name is a different migration set, which runs all migrations."
  type        = string
  nullable    = false
  default     = "default"
}

variable "format" {
  description = "Format of the directory: \"auto\", or a format that the documentation of dsql_migration_set lists."
  type        = string
  nullable    = false
  default     = "auto"
}

variable "schemas" {
  description = "Database schemas in which the provider detects drift."
  type        = set(string)
  nullable    = false
  default     = ["public"]
}

variable "wait_for_jobs" {
  description = "Jobs for which an apply waits: with \"all\", until everything that it has started is valid, and with \"needed\", only for what a later statement needs."
  type        = string
  nullable    = false
  default     = "all"
}

variable "on_drift" {
  description = "How to treat drift: with \"plan\", a plan shows it, with \"block\", an apply also runs no migration, with \"error\", a plan fails, and with \"ignore\", only the output drift shows it."
  type        = string
  nullable    = false
  default     = "plan"
}
