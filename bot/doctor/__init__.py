"""`gpubot doctor`: looks at everything that `gpubot run` needs, and says what to do about what is wrong.

findings   what a check says
slack      tokens, scopes, people
channels   channels, and who is in them
calls      what a call to Slack that failed means
market     Compute Clear
machine    the database, the port, the clock
examine    all of them, none hiding another
"""
