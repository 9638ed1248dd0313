# The role that mcp-sd's instance runs with, and the least that it may do.
# Attach the instance profile to the instance of Prometheus and mcp-sd.
terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "name" {
  description = "Name of the role, its policy and its instance profile."
  type        = string
  default     = "mcp-sd"
}

variable "other_accounts" {
  description = "Whether mcp-sd also assumes the roles that iam-assume-policy.json names."
  type        = bool
  default     = false
}

resource "aws_iam_role" "mcp_sd" {
  name = var.name

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "list" {
  name   = "list-instances"
  role   = aws_iam_role.mcp_sd.id
  policy = file("${path.module}/iam-policy.json")
}

resource "aws_iam_role_policy" "assume" {
  count = var.other_accounts ? 1 : 0

  name   = "read-other-accounts"
  role   = aws_iam_role.mcp_sd.id
  policy = file("${path.module}/iam-assume-policy.json")
}

resource "aws_iam_instance_profile" "mcp_sd" {
  name = var.name
  role = aws_iam_role.mcp_sd.name
}

output "instance_profile" {
  description = "Goes into aws_instance.iam_instance_profile."
  value       = aws_iam_instance_profile.mcp_sd.name
}
