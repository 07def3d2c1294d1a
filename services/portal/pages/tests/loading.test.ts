import { beforeEach, expect, test, vi } from 'vitest';
import type { ImportReport, RowResult } from '../src/editor/requests';

vi.stubGlobal('window', { addEventListener: () => undefined, location: { origin: 'http://127.0.0.1', hash: '' } });
const { ApiError } = await import('../src/api');
const sent = { readImport: vi.fn(), readImportRows: vi.fn() };
vi.doMock('../src/editor/requests', () => ({
  ...sent,
  importCourses: () => Promise.reject(new ApiError(0)),
  watchImport: () => () => undefined,
}));
const { Loading } = await import('../src/editor/loading');

const report = (state: ImportReport['state']): ImportReport => ({ import_id: 'i', state, format: 'csv', started_at: '', updated_at: '', created: 1 });
const row: RowResult = { line: 2, status: 'created' };

/** Store a file whose answers are lost, and let the page look for its report for so long. */
async function lost(milliseconds: number) {
  const loading = new Loading();
  loading.file.value = new File(['title\nOne\n'], 'courses.csv');
  await loading.run(false);
  expect(loading.stage.value).toBe('lost');
  await vi.advanceTimersByTimeAsync(milliseconds);
  return loading;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  sent.readImport.mockReset();
  sent.readImportRows.mockReset().mockResolvedValue([row]);
});

test('an import whose answers were lost is shown once its report is over, with all rows', async () => {
  sent.readImport.mockRejectedValueOnce(new ApiError(0)).mockResolvedValueOnce(report('running')).mockResolvedValue(report('finished'));
  const loading = await lost(3500);
  expect(loading.stage.value).toBe('lost');
  expect(loading.counts.value.created).toBe(1);
  expect(sent.readImportRows).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(4000);
  expect(loading.stage.value).toBe('loaded');
  expect(loading.error.value).toBeUndefined();
  expect(loading.rows).toEqual([row]);
  expect(loading.counts.value.created).toBe(1);
});

test('an import of which nothing was stored is stopped, and the lost connection is still named', async () => {
  sent.readImport.mockRejectedValue(new ApiError(404));
  const loading = await lost(1000);
  expect(loading.stage.value).toBe('stopped');
  expect(loading.error.value?.status).toBe(0);
});

test('a report is no longer looked for once the session has ended or the file is sent again', async () => {
  sent.readImport.mockRejectedValue(new ApiError(0));
  const loading = await lost(1500);
  expect(sent.readImport).toHaveBeenCalledTimes(1);
  loading.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(loading.stage.value).toBe('stopped');
  expect(sent.readImport).toHaveBeenCalledTimes(1);
});
