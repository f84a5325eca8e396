const WIDTH = 40;

/** One line that is drawn over itself on a terminal, and now and then a line elsewhere. */
export function createProgressBar(total, out = process.stdout) {
  let shown = -1;
  return {
    show(done, remark = '') {
      const full = Math.round((done / total) * WIDTH);
      const line = `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${String(done).padStart(String(total).length)}/${total} ${remark}`;
      if (out.isTTY) {
        out.write(`\r\x1b[K${line}${done === total ? '\n' : ''}`);
      } else if (Math.floor((done * 10) / total) !== Math.floor((shown * 10) / total)) {
        out.write(`${line}\n`);
      }
      shown = done;
    },
    /** A line of its own between two states of the bar. */
    say(text) {
      out.write(out.isTTY ? `\r\x1b[K${text}\n` : `${text}\n`);
    },
  };
}
