/** Samples of the machine and of a run as readings that a person understands. */

import type { Locale } from '../i18n';
import type { MachineSample, RunSample } from '../kept';
import type { Reading } from './meter';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** "1.4 GB" */
export function bytesText(bytes: number, locale: Locale): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${locale.fixed(value, unit === 0 || value >= 100 ? 0 : 1)} ${UNITS[unit]}`;
}

function percent(fraction: number, locale: Locale): string {
  return locale.percent(fraction);
}

/** What the machine used. */
export function machineReadings(sample: MachineSample, locale: Locale): Map<string, Reading> {
  const found = new Map<string, Reading>();
  if (sample.cpu_fraction !== undefined) {
    const title = locale.t('monitor.cores', { count: sample.num_cores ?? 1 });
    const text = percent(sample.cpu_fraction, locale);
    found.set('cpu', { name: locale.t('monitor.cpu'), text, value: sample.cpu_fraction, full: 1, title });
  }
  const { memory_used_bytes: used, memory_total_bytes: total } = sample;
  if (used !== undefined && total !== undefined) {
    found.set('memory', usage(locale.t('monitor.memory'), used, total, locale));
  }
  const { disk_free_bytes: free, disk_total_bytes: disk } = sample;
  if (free !== undefined && disk !== undefined) {
    const text = locale.t('monitor.free', { bytes: bytesText(free, locale) });
    found.set('disk', { name: locale.t('monitor.disk'), text, value: disk - free, full: disk });
  }
  for (const gpu of sample.gpus ?? []) {
    const name = (sample.gpus?.length ?? 0) > 1 ? `GPU ${gpu.index}` : 'GPU';
    if (gpu.use_fraction !== undefined) {
      const text = percent(gpu.use_fraction, locale);
      found.set(`gpu${gpu.index}`, { name, text, value: gpu.use_fraction, full: 1, title: gpu.name ?? '' });
    }
    if (gpu.memory_used_bytes !== undefined && gpu.memory_total_bytes !== undefined) {
      const words = locale.t('monitor.gpu_memory', { gpu: name });
      found.set(`gpu${gpu.index}-memory`, usage(words, gpu.memory_used_bytes, gpu.memory_total_bytes, locale));
    }
    const { temperature_celsius: heat, power_watts: power } = gpu;
    if (power !== undefined) {
      const words = [`${locale.fixed(power, 0)} W`, heat === undefined ? '' : `${locale.fixed(heat, 0)} °C`];
      const text = words.filter(Boolean).join(' · ');
      const full = gpu.power_limit_watts;
      found.set(`gpu${gpu.index}-power`, { name, text, value: power, ...(full ? { full } : {}) });
    }
  }
  return found;
}

function usage(name: string, used: number, total: number, locale: Locale): Reading {
  const of = { used: bytesText(used, locale), total: bytesText(total, locale) };
  return { name, text: of.used, value: used, full: total, title: locale.t('monitor.used', of) };
}

/** What one run used. */
export function runReadings(sample: RunSample, locale: Locale): Map<string, Reading> {
  const found = new Map<string, Reading>();
  if (typeof sample.samples_per_second === 'number') {
    const text = locale.count(sample.samples_per_second);
    found.set('speed', { name: locale.t('stat.speed'), text, value: sample.samples_per_second });
  }
  if (sample.cpu_cores !== undefined) {
    const text = locale.fixed(sample.cpu_cores, 1);
    found.set('cores', { name: locale.t('monitor.cores_used'), text, value: sample.cpu_cores });
  }
  if (sample.memory_bytes !== undefined) {
    const text = bytesText(sample.memory_bytes, locale);
    found.set('memory', { name: locale.t('monitor.memory'), text, value: sample.memory_bytes });
  }
  if (sample.gpu_memory_bytes !== undefined) {
    const text = bytesText(sample.gpu_memory_bytes, locale);
    const name = locale.t('monitor.gpu_memory', { gpu: 'GPU' });
    found.set('gpu-memory', { name, text, value: sample.gpu_memory_bytes });
  }
  if (typeof sample.waiting_fraction === 'number') {
    const text = percent(sample.waiting_fraction, locale);
    found.set('waiting', { name: locale.t('monitor.waiting'), text, value: sample.waiting_fraction, full: 1 });
  }
  return found;
}
