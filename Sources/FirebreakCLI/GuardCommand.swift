internal import Firebreak

/// The process that `apply --confirm` starts beside itself; nobody calls it by hand.
struct GuardCommand: Subcommand {
  static let name = "guard"

  static let about = About(
    "Take a commit back that is not confirmed in time.",
    isHidden: true)

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions
  @Option("--nonce") var nonce: String
  @Option("--parent") var parent: Int32

  func run() throws {
    try site.run { _ in
      try site.enter()
      guard let nonce = UInt64(nonce, radix: 16) else { throw ValidationError("--nonce is a hexadecimal number") }
      _ = try site.engine(site.store()).standGuard(nonce: nonce, parent: parent)
    }
  }
}
