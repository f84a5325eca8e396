/**
 * The helper in Perl, for where it was not compiled (`native/command-helper.c`): its fork is cheap whatever Node's is.
 * `helper-wire.ts` says what it reads and writes. Where there is no Perl the executor starts every command itself.
 *
 * SIGUSR1 is handled between two operations, so that it comes either before `$ended = 1`, and then what follows sees it, or
 * after, and is ignored.
 */
export const HELPER_SCRIPT = String.raw`
use strict;
use POSIX ();
$^F = 2;
my ($ended, $handed) = (1, 0);
$SIG{USR1} = sub { if (!$ended && !$handed) { $handed = 1; put('T', '') } };

sub put {
  my $all = pack('a1 N', $_[0], length $_[1]) . $_[1];
  while (length $all) {
    my $n = syswrite STDOUT, $all;
    if (defined $n) { substr($all, 0, $n) = '' } elsif ($! != POSIX::EINTR()) { POSIX::_exit(1) }
  }
}

sub get {
  my ($want) = @_;
  my $got = '';
  while (length $got < $want) {
    my $n = sysread STDIN, $got, $want - length $got, length $got;
    next if !defined $n && $! == POSIX::EINTR();
    POSIX::_exit(0) if !$n;
  }
  return $got;
}

sub record { return split /\0/, get(unpack 'N', get(4)), -1 }

sub write_to {
  my ($name, $text) = @_;
  if (open my $file, '>', $name) { syswrite $file, $text }
}

# In the child: each page that it writes to is copied for it alone, so all that can be done before the fork is.
sub start {
  my ($score, $cgroup, $stdin, $out, $err, @argv) = @_;
  POSIX::setsid();
  write_to($cgroup, '0') if $cgroup ne '';
  write_to('/proc/self/oom_score_adj', $score) if $score ne '';
  defined POSIX::dup2($stdin, 0) && defined POSIX::dup2($out, 1) && defined POSIX::dup2($err, 2) or return $! + 0;
  exec { $argv[0] } @argv;
  return $! + 0;
}

sub read_rest {
  my ($pipe) = @_;
  my $text = '';
  fcntl $pipe, POSIX::F_SETFL(), POSIX::O_NONBLOCK();
  while (length $text < 65536) {
    my $n = sysread $pipe, $text, 65536, length $text;
    next if !defined $n && $! == POSIX::EINTR();
    return ($text, defined $n ? 0 : 1) if !$n;
  }
  return ($text, 1);
}

my ($score, @base) = record();
@base = map { split /=/, $_, 2 } @base;
put('R', '');
my ($out, $err);
while (1) {
  my @fields = record();
  ($out, $err) = ();
  next if !@fields;
  my ($cgroup, $cwd, $in, $count, @argv) = @fields;
  %ENV = (@base, map { split /=/, $_, 2 } splice @argv, $count);
  my ($stdin, $out_end, $err_end, $failed, $fail_end, $pid);
  if (!open($stdin, '<', $in) || !pipe($out, $out_end) || !pipe($err, $err_end) || !pipe($failed, $fail_end) ||
    !chdir($cwd)) {
    put('F', pack 'N', $!);
    next;
  }
  my @ends = map { fileno $_ } $stdin, $out_end, $err_end;
  $pid = fork;
  my $why = $!;
  if (defined $pid && $pid == 0) {
    # Nothing of the helper goes on in here, whatever happens.
    my $errno = eval { start($score, $cgroup, @ends, @argv) };
    syswrite $fail_end, pack 'N', $errno || POSIX::EIO();
    POSIX::_exit(127);
  }
  chdir '/';
  if (!defined $pid) {
    put('F', pack 'N', $why);
    next;
  }
  close $_ for $stdin, $out_end, $err_end, $fail_end;
  my $errno = '';
  while (length $errno < 4) {
    my $n = sysread $failed, $errno, 4, length $errno;
    last if defined $n ? !$n : $! != POSIX::EINTR();
  }
  if ($errno ne '') {
    waitpid $pid, 0;
    put('F', $errno);
    next;
  }
  ($ended, $handed) = (0, 0);
  put('S', pack 'N3', $pid, fileno $out, fileno $err);
  waitpid $pid, 0;
  $ended = 1;
  my $status = $?;
  my $flags = kill(0, -$pid) ? 1 : 0;
  my ($out_text, $out_open, $err_text, $err_open) = ('', 0, '', 0);
  if (!$handed) {
    ($out_text, $out_open) = read_rest($out);
    ($err_text, $err_open) = read_rest($err);
  }
  $flags |= ($out_open ? 2 : 0) | ($err_open ? 4 : 0);
  put('X', pack('n C N', $status, $flags, length $out_text) . $out_text . $err_text);
}
`;
