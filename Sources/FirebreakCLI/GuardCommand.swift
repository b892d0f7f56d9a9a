internal import ArgumentParser
internal import Firebreak

/// The process that `apply --confirm` starts beside itself; nobody calls it by hand.
struct GuardCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "guard", _superCommandName: FirebreakCommand.name,
    abstract: "Take a commit back that is not confirmed in time.", shouldDisplay: false)

  @OptionGroup var site: SiteOptions
  @Option var nonce: String
  @Option var parent: Int32

  func run() throws {
    try site.run { _ in
      try site.enter()
      guard let nonce = UInt64(nonce, radix: 16) else { throw ValidationError("--nonce is a hexadecimal number") }
      _ = try site.engine(site.store()).standGuard(nonce: nonce, parent: parent)
    }
  }
}
