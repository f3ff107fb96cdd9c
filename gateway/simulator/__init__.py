"""A scripted upstream that speaks the real protocol, for the demo and the tests.

`python -m gateway.simulator` runs it; `gateway.simulator.server.Simulator` runs it in process. What
it plays follows from the request, or from a directive: `[sim: WORD=VALUE; FLAG]` in the newest turn
of `input`, or in `metadata.sim` without the brackets.

What is said
    kind=text|reasoning|function_call|web_search|parsed|refusal|keepalive|incomplete|failed|error
         annotations|audio|queued  reasoning_text|reasoning_part (streamed as it is)
         file_search|code_interpreter|image_generation|mcp|mcp_failed|shell|tool_search|compaction
         mcp_approval|custom_tool|apply_patch|computer|local_shell (the client has to act)
    output=TOKENS  reasoning=TOKENS  searches=N  calls=N (of the kind's tool)
    partials=N (images)  keepalive=EVENTS (one after so many)
    reason=max_output_tokens|content_filter|…   of kind=incomplete
    when=before|after (output)  code=…  message=…  flat (not nested)   of kind=failed and kind=error
    usage=in:1200,cached:1024,write:0,out:300,reasoning:100 | null | zero | wrong:SHAPE
    tier=…  snapshot=YYYY-MM-DD
    missing=N  polls=N   so many reads of the stored response find none, and then one in progress
    huge=MIB  huge_where=delta|terminal   one giant event, never whole in memory
    replay=NAME   bytes that were registered in process
How it is sent
    delay=MS before the head  slow=MS for each event  pace=EVENTS per second  early_hints
    slow_head=MS for each header  hang_up=unanswered|head  trailers
    status=NNN  times=N (only so often)  retry_after=SECONDS  should_retry=true|false
    split=BYTES|random:SEED|join   the pieces that are written, whatever the events' borders
    cut=AT (closed)  reset=AT (RST)  stall=AT,SECONDS
        AT: so many body bytes, terminal, or terminal+BYTES
    crlf  cr  bom  comment  garbage  done  gzip  no_event_lines  no_terminal  no_blank_line
    close_delimited  chunked (a whole body too)
"""
