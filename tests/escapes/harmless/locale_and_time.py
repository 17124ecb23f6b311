# what: Locales, time zones, local time, calendars.
# expect_result: ["C.UTF-8", "2026-07-01T14:00:00+02:00", "+0000", "grüße"]
import datetime
import locale
import time
import zoneinfo

current = locale.setlocale(locale.LC_ALL, "C.UTF-8")
noon = datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.timezone.utc)
result = [current, noon.astimezone(zoneinfo.ZoneInfo("Europe/Zurich")).isoformat(), time.strftime("%z"), "GRÜSSE".lower().replace("ss", "ß")]
