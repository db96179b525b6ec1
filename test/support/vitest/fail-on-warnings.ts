/**
 * Setup file of every test file. Node only warns of leaked listeners: here such a warning fails the
 * run.
 */
process.on('warning', (warning) => {
  if (warning.name === 'MaxListenersExceededWarning') throw warning
})
