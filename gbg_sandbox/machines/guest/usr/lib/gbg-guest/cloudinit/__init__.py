"""cloud-init: what happens at an instance's first boot.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html
"""
