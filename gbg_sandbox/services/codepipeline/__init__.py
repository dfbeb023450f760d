"""CodePipeline: stages and actions that really run, under the pipeline's role."""
