// Package lossy has the passes that make another network of the source, one that is
// smaller or that can become bits and integers. They run only when asked for, best
// with calibration clips, record what they did to each layer and what it cost, and
// leave the fine-tuning to training. What they write is again what exporters write,
// so that the exact passes behind them need to know nothing of it.
package lossy
