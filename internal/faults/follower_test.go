//go:build linux

package faults_test

const followerVariable = "DOCKET_TEST_FOLLOWER"

func follow() int { return 0 }
