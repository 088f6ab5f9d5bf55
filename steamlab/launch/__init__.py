"""What `make lab` runs and the doctor looks at: copies, JupyterLab, findings."""
