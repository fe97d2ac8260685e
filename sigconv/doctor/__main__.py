import sys

from sigconv.doctor import main

sys.exit(main())
