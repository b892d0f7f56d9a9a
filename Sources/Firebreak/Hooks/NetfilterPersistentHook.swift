/// A plugin of netfilter-persistent(8), which is called with start, save or flush.
enum NetfilterPersistentHook {
  static func file(_ program: HookProgram) -> HookFile {
    let text = """
      #!/bin/sh
      \(SystemHook.netfilterPersistent.heading)
      firebreak=\(HookProgram.shellWord(program.path))
      case "${1:-}" in
      start)
        if [ ! -x "$firebreak" ]; then
          echo "firebreak: $firebreak is gone, and loads no rules; remove $0, or install it again" >&2
          exit 1
        fi
        exec \(program.shell("recover", "--lock-wait", "60"))
        ;;
      save)
        echo "firebreak: nothing to save: every commit is on file already; firebreak log lists them"
        ;;
      flush)
        echo "firebreak: refused: the host would be open; firebreak rollback takes a commit back" >&2
        exit 1
        ;;
      *)
        echo "usage: $0 start|save|flush" >&2
        exit 64
        ;;
      esac

      """
    return HookFile(
      "/usr/share/netfilter-persistent/plugins.d/15-firebreak", .netfilterPersistent, text, isProgram: true)
  }
}
