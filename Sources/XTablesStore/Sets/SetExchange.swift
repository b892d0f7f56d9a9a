internal import Netfilter
internal import RuleStore

/// A set that takes the place of one of its name with other options, which the kernel does not change: it is made under a
/// spare name, and both then exchange their names in one step, so that rules that look into the one look into the other.
struct SetExchange {
  let old: SetImage
  let new: SetImage

  /// nil where it is no such change.
  init?(_ change: CompanionChange) throws(BackendError) {
    guard let old = try SetImage(change.before), let new = try SetImage(change.after), !new.hasShape(of: old) else {
      return nil
    }
    (self.old, self.new) = (old, new)
  }

  /// `IPSET_ERR_TYPE_MISMATCH`
  static let typeDiffers: Int32 = 4102

  private static let spare = "firebreak-spare"

  /// Tries it with empty sets in a namespace of their own. Where the kernel allows none, it is tried when it is done.
  func rehearse() throws(KernelSets.Refusal) {
    let tried = inFreshNamespace { () -> KernelSets.Refusal? in
      do throws(KernelSets.Refusal) {
        try old.create()
        let spare = new.named(Self.spare)
        try spare.create()
        try spare.swap(with: old.name)
        return nil
      } catch {
        return error
      }
    }
    if case .success(let refusal?) = tried { throw refusal }
  }

  /// Puts a set in the place of the one of its name.
  static func put(_ set: SetImage) throws(KernelSets.Refusal) {
    let spare = set.named(spare)
    clear()
    defer { clear() }
    try spare.create()
    try spare.add(set.entries)
    try spare.swap(with: set.name)
  }

  /// Takes out what is left, also of somebody who was killed.
  static func clear() { try? SetImage.destroy(spare) }
}
