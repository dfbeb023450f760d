"""Application Load Balancers: records, health checks, and HAProxy as the data plane."""
