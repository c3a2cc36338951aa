# SPDX-License-Identifier: BSD-2-Clause
# Completion of causewayd(8) for fish. tests/integration/completion.test compares it with the program.
complete -c causewayd -f
complete -c causewayd -l config -s c -r -F -d 'configuration'
complete -c causewayd -l foreground -s f -d 'stay in the foreground'
complete -c causewayd -l check-config -s t -d 'print every problem of the configuration and end'
complete -c causewayd -l check-db -d 'check the lease database and end'
complete -c causewayd -l forget-damaged -d 'lend addresses of damaged leases again'
complete -c causewayd -l print-sample-config -d 'a commented configuration with every option'
complete -c causewayd -l list-failpoints -d 'places where tests can make this build fail'
complete -c causewayd -l help -s h -d 'print help'
complete -c causewayd -l version -s V -d 'version and licence'
