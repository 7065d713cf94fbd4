# A shell on the second serial line. Its end is the machine's.
stty sane
PATH=$tree/build/bin:$tree/build/tools/bin:$PATH setsid cttyhack sh
