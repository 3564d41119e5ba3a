variable "clusters" {
  description = "The clusters to keep at the same schema, by a name that stays: what is not set is taken from the provider block."
  nullable    = false

  type = map(object({
    endpoint  = optional(string)
    region    = optional(string)
    user      = optional(string)
    variables = optional(map(string))
  }))
}

variable "dir" {
  description = "Directory with the migrations. Begin it with path.module or path.root, so that it is found from everywhere."
  type        = string
  nullable    = false
}

variable "name" {
  description = "Name of the set in the ledger. Another name is another set."
  type        = string
  nullable    = false
  default     = "default"
}

variable "format" {
  description = "Format of the directory: \"auto\", or one of those in the documentation of dsql_migration_set."
  type        = string
  nullable    = false
  default     = "auto"
}

variable "schemas" {
  description = "Database schemas in which a change that no migration made is drift."
  type        = set(string)
  nullable    = false
  default     = ["public"]
}

variable "on_drift" {
  description = "What a plan does about drift: \"plan\" shows an update, \"error\" fails, \"ignore\" only reports."
  type        = string
  nullable    = false
  default     = "plan"
}
