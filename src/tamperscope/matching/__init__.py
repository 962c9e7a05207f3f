"""Classical evidence: key points, dense field, geometry. numpy and native code, never torch."""
