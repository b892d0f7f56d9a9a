internal import CNFTables
internal import Glibc
internal import Netfilter

/// Which revisions of the extensions of xtables nf_tables carries (nft_compat, linux/netfilter/nf_tables_compat.h).
extension KernelReader {
  /// `NFTA_COMPAT_*`
  private enum Question: UInt32 {
    case name = 1
    case revision
    case isTarget
  }

  /// Whether the kernel has this revision; its module is loaded for it. nil when it has no such extension at all, or does
  /// not say.
  mutating func hasRevision(_ revision: UInt8, of name: String, isTarget: Bool, _ family: Family) -> Bool? {
    do throws(Problem) {
      try ask(
        subsystem: NFNL_SUBSYS_NFT_COMPAT, 0 /* NFNL_MSG_COMPAT_GET */, flags: 0, family: family.rawValue
      ) { out in
        out.put(Question.name, text: name)
        out.put(Question.revision, big: UInt32(revision))
        out.put(Question.isTarget, big: UInt32(isTarget ? 1 : 0))
      } each: { _ in
      }
      return true
    } catch {
      guard case .netlink(let failure) = error, failure.operation == .answer else { return nil }
      return failure.code == EPROTONOSUPPORT ? false : nil
    }
  }

  /// The same through a socket of its own.
  static func hasRevision(_ revision: UInt8, _ name: String, _ isTarget: Bool, _ family: Family) -> Bool? {
    guard var reader = try? KernelReader() else { return nil }
    return reader.hasRevision(revision, of: name, isTarget: isTarget, family)
  }
}
