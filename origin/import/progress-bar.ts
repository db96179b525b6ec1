import type { MonotonicMs } from '../../shared/lib/time.ts'

interface Terminal {
  isTTY?: boolean
  write(text: string): unknown
}

interface Progress {
  lines: number
  read: number
  total: number | undefined
}

const barWidth = 30
const clearLine = '\r\u001b[K'

/** A line on a terminal that shows how far an import is; nothing elsewhere. */
export function createProgressBar(terminal: Terminal, startedAt: MonotonicMs) {
  return {
    show({ lines, read, total }: Progress): void {
      if (!terminal.isTTY) return
      const perSecond = Math.round((lines * 1000) / Math.max(1, performance.now() - startedAt))
      const rate = `${lines.toLocaleString('en')} lines, ${perSecond.toLocaleString('en')}/s`
      terminal.write(`${clearLine}${total ? `${barOf(read / total)} ` : ''}${rate}`)
    },

    /** Removes the line, so that another text may be written. */
    clear(): void {
      if (terminal.isTTY) terminal.write(clearLine)
    },
  }
}

function barOf(share: number): string {
  const filled = Math.min(barWidth, Math.floor(share * barWidth))
  const percent = String(Math.min(100, Math.floor(share * 100))).padStart(3)
  return `[${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}] ${percent} %`
}
