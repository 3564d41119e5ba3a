# Run: tflint --recursive --config="$PWD/examples/.tflint.hcl" --chdir=examples
plugin "terraform" {
  enabled = true
  preset  = "all"
}

# tfplugindocs prescribes the file names of the examples on documentation pages.
rule "terraform_standard_module_structure" {
  enabled = false
}
