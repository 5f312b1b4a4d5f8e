# For peers in R: what families_task.py says, read from the command line. Sourced, not called.

said <- commandArgs(trailingOnly = TRUE)
folder <- said[1]
family <- said[2]
numbers <- as.integer(said[3:10])
n <- numbers[1]; d <- numbers[2]; k <- numbers[3]; groups <- numbers[5]
first <- numbers[6]; last <- numbers[7]; repeats <- numbers[8]
source(file.path(here, "measure.R"))
x <- matrix(floats("x", n * d), n, d, byrow = TRUE)
