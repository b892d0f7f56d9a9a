internal import Glibc
internal import Netfilter

/// What tells this program from another version of it: what one of them has written down of the rules another one may say
/// in another form.
package enum ProgramIdentity {
  /// Device, number, size and time of change of the program's file; nil where they cannot be told.
  package static var bytes: [UInt8]? {
    var program = stat()
    guard stat("/proc/self/exe", &program) == 0 else { return nil }
    var out = ByteWriter()
    out.write(UInt64(program.st_dev))
    out.write(UInt64(program.st_ino))
    out.write(Int64(program.st_size))
    out.write(Int64(program.st_mtim.tv_sec))
    out.write(Int64(program.st_mtim.tv_nsec))
    return out.bytes
  }
}
