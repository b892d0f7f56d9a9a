internal import CLinux
internal import Glibc

/// The command that finishes what an interrupted commit left: `firebreak recover …`.
public struct RecoveryCommand: Hashable, Sendable {
  /// Path of the program.
  public let program: String
  /// With the program's name first.
  public let arguments: [String]

  public init(program: String, arguments: [String]) {
    self.program = program
    self.arguments = arguments
  }
}

/// A process that outlives its parent by one act: when the parent dies before it said that all went well, the recovery
/// command is run. It is there before the first of several tables is written, because the kernel replaces tables one by one.
final class Keeper {
  private let pipe: Int32
  private let process: Int32
  private var isDismissed = false

  init(_ command: RecoveryCommand) throws(SystemError) {
    var arguments = command.arguments.map { strdup($0) }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    var pipe: Int32 = -1
    var process: Int32 = -1
    let code = fb_start_keeper(command.program, &arguments, &pipe, &process)
    guard code == 0 else { throw SystemError(operation: "start the keeper", path: command.program, code: code) }
    self.pipe = pipe
    self.process = process
  }

  /// The kernel holds one ruleset again, the old or the new one.
  func dismiss() {
    guard !isDismissed else { return }
    isDismissed = true
    var byte: UInt8 = 1
    _ = write(pipe, &byte, 1)
    close(pipe)
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
  }

  deinit { dismiss() }
}
