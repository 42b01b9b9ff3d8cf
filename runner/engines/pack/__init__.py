"""Many runs as one program: what engine `packed` is made of."""
