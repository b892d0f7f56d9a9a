/// A script that ifup(8) runs before each interface; when it fails the interface stays down.
enum IfupdownHook {
  static func file(_ program: HookProgram) -> HookFile {
    let text = """
      #!/bin/sh
      \(SystemHook.ifupdown.heading)
      # No interface comes up before the rules are in force. When they are it changes nothing.
      firebreak=\(HookProgram.shellWord(program.path))
      [ "${IFACE:-}" != lo ] || exit 0
      if [ ! -x "$firebreak" ]; then
        echo "firebreak: $firebreak is gone, and loads no rules; remove $0, or install it again" >&2
        exit 0
      fi
      \(program.shell("recover", "--lock-wait", "30")) >/dev/null || {
        status=$?
        echo "firebreak: ${IFACE:-the interface} stays down without its rules; run firebreak recover, then ifup again" >&2
        exit $status
      }

      """
    return HookFile("/etc/network/if-pre-up.d/firebreak", .ifupdown, text, isProgram: true)
  }
}
