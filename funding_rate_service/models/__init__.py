"""What the service says over HTTP. The served documentation is generated from these models, so it can't differ from the replies."""
