/** How long services may outlive the npm that started them. */
const lookMs = 1000

/**
 * Calls back when this process's parent is gone. npm hands SIGINT and SIGTERM on, but ends at a
 * SIGHUP or a SIGKILL without a word to its child.
 */
export function onParentGone(callback: () => void): void {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    callback()
  }, lookMs)
  timer.unref()
}
