// Package deploy runs the playbook: it reads a site directory, refuses what can
// be known to go wrong before Ansible starts, runs ansible-playbook, and follows
// it by the events of the callback plugin in install/playbook.
//
// Prepare does everything up to the start, and Start runs; an Operation says
// which playbook, and with what. Passwords go to Ansible in files that nobody
// else can read, never on a command line. The package opens no connection: ssh
// and Ansible do. It must not know where artifacts come from.
package deploy
