"""The CloudWatch agent: sends log files to CloudWatch Logs, and memory, disk and CPU figures to metrics."""
