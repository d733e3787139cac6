import pytest

from tools.seed import seed
from tools.system import DeployError, System


@pytest.mark.parametrize("endpoint", ["https://apigateway.us-east-1.amazonaws.com", "http://10.0.0.7:4566"])
def test_demo_people_with_known_passwords_stay_on_this_machine(endpoint: str) -> None:
    with pytest.raises(DeployError, match="not on this machine"):
        seed(System(endpoint))
