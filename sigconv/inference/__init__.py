"""What a finished run's folder is good for: answers for a user's own files, by one network or several, and its inside.

`predict` reads the folder and, by `readers`, files; `listen` hears a microphone; `subtitles` writes a video with what
was read; `committee` averages several runs; `explain` writes a page, whose cards are made by `inside` and drawn by
`seen`. The command `sigconv` starts each of them.
"""
