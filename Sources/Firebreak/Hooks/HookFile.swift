/// A file of a hook.
package struct HookFile: Hashable, Sendable {
  package enum Content: Hashable, Sendable {
    case text(String, isProgram: Bool)
    /// A symbolic link. Other targets mean the same.
    case link(to: String, or: [String])
  }

  /// From the root of the system.
  package let path: String
  package let content: Content
  /// What stands in an earlier version of the file too; links have none.
  let marker: String

  init(_ path: String, _ hook: SystemHook, _ text: String, isProgram: Bool = false) {
    self.path = path
    content = .text(text, isProgram: isProgram)
    marker = hook.marker
  }

  init(link path: String, to target: String, or others: [String] = []) {
    self.path = path
    content = .link(to: target, or: others)
    marker = ""
  }
}
