"""What draws of z say without labels: co-assignment, point partitions, their credible balls."""
