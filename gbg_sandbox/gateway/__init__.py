"""The one door: request → operation → who → allowed? → handler → answer in AWS's own form."""
