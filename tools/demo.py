"""The people of the demo hospital, none of whom exists, and what it charges."""

from __future__ import annotations

from typing import Any, NamedTuple

WEEK = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY")
FEES = {
    "Cardiology": "800.00",
    "Dermatology": "600.00",
    "Gynaecology": "700.00",
    "General Medicine": "500.00",
    "Orthopaedics": "750.00",
    "Paediatrics": "550.00",
}


class Shift(NamedTuple):
    days: tuple[str, ...]
    start: str
    end: str
    minutes: int = 30

    @property
    def periods(self) -> list[dict[str, Any]]:
        return [
            {"weekday": day, "start": self.start, "end": self.end, "slot_duration": self.minutes} for day in self.days
        ]


class Doctor(NamedTuple):
    name: str
    department: str
    specialization: str
    shifts: tuple[Shift, ...]


_MORNING, _AFTERNOON = Shift(WEEK, "09:00", "13:00"), Shift(WEEK[:5], "14:00", "17:30")

DOCTORS = (
    Doctor("Dr. Meera Iyer", "Cardiology", "Interventional Cardiologist", (_MORNING,)),
    Doctor("Dr. Arvind Deshpande", "Cardiology", "Electrophysiologist", (_AFTERNOON,)),
    Doctor("Dr. Farhan Qureshi", "Orthopaedics", "Joint Surgeon", (_MORNING, _AFTERNOON)),
    Doctor("Dr. Lakshmi Narayanan", "Paediatrics", "Paediatrician", (Shift(WEEK, "09:30", "12:30", 20),)),
    Doctor("Dr. Gurpreet Kaur", "Gynaecology", "Obstetrician", (_MORNING, _AFTERNOON)),
    Doctor("Dr. Sandeep Banerjee", "Dermatology", "Dermatologist", (Shift(WEEK[::2], "10:00", "16:00"),)),
    Doctor("Dr. Nisha Pillai", "General Medicine", "General Physician", (_MORNING, _AFTERNOON)),
    Doctor("Dr. Thomas Kurian", "General Medicine", "Diabetologist", (Shift(WEEK[1::2], "09:00", "15:00"),)),
)


class Patient(NamedTuple):
    name: str
    sex: str
    dob: str
    city: str
    state: str
    language: str


PATIENTS = (
    Patient("Asha Verma", "female", "1990-04-23", "Bengaluru", "Karnataka", "hi-IN"),
    Patient("Rohan Mehta", "male", "1984-11-02", "Mumbai", "Maharashtra", "en-IN"),
    Patient("Kavya Reddy", "female", "1996-07-15", "Hyderabad", "Telangana", "te-IN"),
    Patient("Imran Shaikh", "male", "1979-01-28", "Pune", "Maharashtra", "hi-IN"),
    Patient("Ananya Mukherjee", "female", "2001-09-09", "Kolkata", "West Bengal", "bn-IN"),
    Patient("Suresh Pillai", "male", "1958-03-17", "Kochi", "Kerala", "ml-IN"),
    Patient("Harpreet Singh", "male", "1972-12-05", "Ludhiana", "Punjab", "pa-IN"),
    Patient("Divya Krishnan", "female", "1988-06-30", "Chennai", "Tamil Nadu", "ta-IN"),
    Patient("Mohammed Rafiq", "male", "1965-08-21", "Lucknow", "Uttar Pradesh", "ur-IN"),
    Patient("Pooja Agarwal", "female", "1993-02-14", "Jaipur", "Rajasthan", "hi-IN"),
    Patient("Vikram Chauhan", "male", "1981-05-06", "Indore", "Madhya Pradesh", "hi-IN"),
    Patient("Lalitha Subramaniam", "female", "1949-10-19", "Madurai", "Tamil Nadu", "ta-IN"),
    Patient("Aarav Patel", "male", "2016-04-11", "Ahmedabad", "Gujarat", "gu-IN"),
    Patient("Sneha Kulkarni", "female", "1991-12-27", "Nashik", "Maharashtra", "mr-IN"),
    Patient("Joseph D'Souza", "male", "1968-02-03", "Panaji", "Goa", "en-IN"),
    Patient("Zara Khan", "female", "2019-08-08", "Bhopal", "Madhya Pradesh", "hi-IN"),
    Patient("Manoj Tiwari", "male", "1976-09-13", "Varanasi", "Uttar Pradesh", "hi-IN"),
    Patient("Shreya Ghosh", "female", "1998-03-25", "Howrah", "West Bengal", "bn-IN"),
    Patient("Prakash Hegde", "male", "1954-07-07", "Mangaluru", "Karnataka", "kn-IN"),
    Patient("Fatima Begum", "female", "1962-05-18", "Hyderabad", "Telangana", "ur-IN"),
    Patient("Nikhil Joshi", "male", "1987-01-31", "Thane", "Maharashtra", "mr-IN"),
    Patient("Ishita Bose", "female", "1994-10-10", "Siliguri", "West Bengal", "bn-IN"),
    Patient("Ramesh Yadav", "male", "1970-06-24", "Patna", "Bihar", "hi-IN"),
    Patient("Gauri Deshmukh", "female", "2010-11-16", "Nagpur", "Maharashtra", "mr-IN"),
    Patient("Balaji Raman", "male", "1983-04-02", "Coimbatore", "Tamil Nadu", "ta-IN"),
    Patient("Simran Bhatia", "female", "1999-01-20", "Delhi", "Delhi", "pa-IN"),
    Patient("Abdul Rahman", "male", "1951-12-12", "Kozhikode", "Kerala", "ml-IN"),
    Patient("Neha Saxena", "female", "1985-08-29", "Kanpur", "Uttar Pradesh", "hi-IN"),
    Patient("Dev Malhotra", "male", "2013-02-22", "Gurugram", "Haryana", "en-IN"),
    Patient("Padma Rao", "female", "1966-09-04", "Visakhapatnam", "Andhra Pradesh", "te-IN"),
    Patient("Sunil Kumar", "male", "1978-03-11", "Ranchi", "Jharkhand", "hi-IN"),
    Patient("Tanvi Shah", "female", "2003-05-27", "Surat", "Gujarat", "gu-IN"),
    Patient("Bhaskar Nair", "male", "1960-10-01", "Thrissur", "Kerala", "ml-IN"),
    Patient("Ritu Sinha", "female", "1989-07-19", "Gaya", "Bihar", "hi-IN"),
    Patient("Karthik Venkatesh", "male", "1995-12-08", "Mysuru", "Karnataka", "kn-IN"),
    Patient("Mary Thomas", "female", "1957-01-14", "Kottayam", "Kerala", "ml-IN"),
    Patient("Arjun Rathore", "male", "1992-06-16", "Udaipur", "Rajasthan", "hi-IN"),
    Patient("Sadhana Mishra", "female", "1974-11-23", "Bhubaneswar", "Odisha", "or-IN"),
    Patient("Rajat Kapoor", "male", "1986-02-09", "Chandigarh", "Chandigarh", "hi-IN"),
    Patient("Meenakshi Sundaram", "female", "1945-08-15", "Tiruchirappalli", "Tamil Nadu", "ta-IN"),
)


class Service(NamedTuple):
    """A service of the charge master; `dearer` are other prices, each with what it holds for."""

    code: str
    name: str
    tax_rate: str
    price: str
    dearer: tuple[dict[str, str], ...] = ()

    @property
    def prices(self) -> list[dict[str, str]]:
        return [{"unit_price": self.price}, *self.dearer]


SERVICES = (
    Service("CBC", "Complete blood count", "5.00", "350.00"),
    Service("DRESSING", "Dressing, small", "5.00", "180.00"),
    Service("ECG", "Electrocardiogram", "5.00", "750.00", ({"unit_price": "900.00", "department": "Cardiology"},)),
    Service("LIPID", "Lipid profile", "5.00", "600.00", ({"unit_price": "480.00", "plan": "Family Optima"},)),
    Service("PARACETAMOL-10", "Paracetamol 500 mg, 10 tablets", "12.00", "18.50"),
    Service("XRAY-CHEST", "X-ray, chest", "5.00", "400.00"),
)
# Of the first patient, who can log in: the first is paid, the second is not.
BILLS: tuple[tuple[dict[str, Any], ...], ...] = (
    ({"code": "ECG"}, {"code": "PARACETAMOL-10", "quantity": 3}),
    ({"code": "CBC"}, {"code": "LIPID"}),
)
CARD = {
    "payer": {"code": "STAR", "name": "Star Health"},
    "member_number": "SH-2291-00417",
    "plan": "Family Optima",
    "copay_percent": "20.00",
    "annual_limit": "500000.00",
}
