package import Netfilter
internal import Synchronization

/// Says whether the kernel has a revision of an extension; nil where it has no such extension, or does not say.
package typealias RevisionAnswer =
  @Sendable (
    _ revision: UInt8, _ kernelName: String, _ isTarget: Bool, _ family: Family
  ) -> Bool?

/// Which revisions of extensions the kernel has. Rules are made in the newest revisions; older kernels do not have all of
/// them.
///
/// The kernel is asked once about each extension that has several revisions, when a commit is to write it.
package final class KernelRevisions: Sendable {
  private let answer: RevisionAnswer
  private let known = Mutex<[Question: UInt8?]>([:])

  private struct Question: Hashable {
    let name: String
    let revision: UInt8
    let isTarget: Bool
    let family: Family
  }

  package init(_ answer: @escaping RevisionAnswer) { self.answer = answer }

  /// The revision to write of an extension.
  package func revision(of part: any Extension, _ family: Family) -> UInt8 {
    let newest = part.revision(for: family)
    return earlier(than: newest, of: part.kernelName, isTarget: part is any Target, family) ?? newest
  }

  /// The revision to use instead; nil when the kernel takes this one, or has no earlier one either.
  package func earlier(than revision: UInt8, of name: String, isTarget: Bool, _ family: Family) -> UInt8? {
    guard revision > 0, Registry.standard.hasEarlierRevisions(kernelName: name, isTarget: isTarget) else { return nil }
    let question = Question(name: name, revision: revision, isTarget: isTarget, family: family)
    if let found = known.withLock({ $0[question] }) { return found }
    let found = ask(question)
    known.withLock { $0[question] = .some(found) }
    return found
  }

  private func ask(_ question: Question) -> UInt8? {
    func has(_ revision: UInt8) -> Bool? { answer(revision, question.name, question.isTarget, question.family) }
    guard has(question.revision) == false else { return nil }
    return (0..<question.revision).reversed().first { has($0) == true }
  }

  /// What to say of a rule whose extension cannot be said in the revision that the kernel has.
  package func lacking(_ part: any Extension, in id: TableID) -> String {
    """
    table \(id): this kernel has '\(part.kernelName)' in revision \(revision(of: part, id.family)) at most, and what the \
    rule says needs revision \(part.revision(for: id.family))
    """
  }

  /// What to do about it.
  package static let hint = "write the rule without what a later kernel brought"
}
